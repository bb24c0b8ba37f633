"""Open connections: sockets, TLS, proxies, and HTTP/1 on them."""
