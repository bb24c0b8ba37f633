"""What a request is made of: body, files, headers, cookies, authorization, redirects."""
