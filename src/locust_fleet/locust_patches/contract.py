"""Everything of Locust, and of what it stands on, that we replace or override, and why.

Each entry holds a digest of the upstream source that was read when ours was written. Run this
module with another Locust installed, and it says what to read again:

    python -m locust_fleet.locust_patches.contract
"""

from __future__ import annotations

import sys

from locust_fleet.locust_patches.upstream import Upstream, report

# Written for Locust 2.47.0, and for what its lock file has beside it.
CONTRACT = (
    Upstream(
        "locust.env:Environment.create_master_runner",
        "locust_fleet/bootstrap.py",
        "the runner listens as soon as it is made, before this master leads",
        "be62291ef887",
    ),
    Upstream(
        "locust.env:Environment.create_worker_runner",
        "locust_fleet/bootstrap.py",
        "it names the class of the runner",
        "7e8478412bc7",
    ),
    Upstream(
        "locust.env:Environment._create_runner",
        "locust_fleet/master/app.py",
        "it is how a runner is made, with whatever class",
        "6e8e23b6d62c",
    ),
    Upstream(
        "locust.env:Environment.update_user_class",
        "locust_fleet/master/workers/class_settings.py",
        "it forgets what was set, and sets whatever it is given",
        "6d564fb43aaa",
    ),
    Upstream(
        "locust.main:setup_logging",
        "locust_fleet/bootstrap.py",
        "it sets up handlers of its own after ours",
        "24c160b16b05",
    ),
    Upstream(
        "locust.runners:HEARTBEAT_INTERVAL",
        "locust_fleet/bootstrap.py",
        "no option sets it",
        "6b86b273ff34",
    ),
    Upstream(
        "locust.runners:HEARTBEAT_LIVENESS",
        "locust_fleet/bootstrap.py",
        "no option sets it",
        "4e07408562be",
    ),
    Upstream(
        "locust.runners:_aggregate_dispatched_users",
        "locust_fleet/master/dispatch/dispatcher.py",
        "it raises StopIteration where all workers are on their way out or back",
        "acc4848e3a77",
    ),
    Upstream(
        "locust.rpc.zmqrpc:Client",
        "locust_fleet/worker/leader_connection.py",
        "it stays with one address and obeys whoever speaks",
        "c05e2a1ae3d0",
    ),
    Upstream(
        "locust.rpc.zmqrpc:BaseSocket.__init__",
        "locust_fleet/master/server.py",
        "it makes the socket whose options must be set before it listens",
        "2edddab08bc8",
    ),
    Upstream(
        "locust.rpc.zmqrpc:Server.__init__",
        "locust_fleet/master/server.py",
        "it listens before options can be set",
        "02b856661102",
    ),
    Upstream(
        "locust.rpc.zmqrpc:BaseSocket.recv_from_client",
        "locust_fleet/master/server.py",
        "it raises on what is no message",
        "7abd06aed9b9",
    ),
    Upstream(
        "locust.rpc.zmqrpc:BaseSocket.send_to_client",
        "locust_fleet/master/server.py",
        "each message says the epoch of its master",
        "e5c741d24836",
    ),
    Upstream(
        "locust.runners:MasterRunner.__init__",
        "locust_fleet/master/runner.py",
        "the parts of the fleet come later than its loops",
        "a03c4cf8e643",
    ),
    Upstream(
        "locust.runners:MasterRunner.client_listener",
        "locust_fleet/master/runner.py",
        "it listens before init, and its end ends nothing",
        "f99a732d3595",
    ),
    Upstream(
        "locust.runners:MasterRunner.heartbeat_worker",
        "locust_fleet/master/runner.py",
        "its end ends nothing",
        "40826c648165",
    ),
    Upstream(
        "locust.runners:MasterRunner.handle_message",
        "locust_fleet/master/runner.py",
        "messages of Locust's own types cannot be registered for",
        "cf4db529aed3",
    ),
    Upstream(
        "locust.runners:MasterRunner.start",
        "locust_fleet/master/runner.py",
        "no event comes before a start that could refuse it",
        "4e8ae4842328",
    ),
    Upstream(
        "locust.runners:MasterRunner.stop",
        "locust_fleet/master/runner.py",
        "it leaves the ramp-up on, and ends a run whose workers are late",
        "13390a98fc27",
    ),
    Upstream(
        "locust.runners:Runner.update_state",
        "locust_fleet/master/runner.py",
        "a spawn that is just finishing undoes a stop",
        "9a30644c2b75",
    ),
    Upstream(
        "locust.runners:MasterRunner.rebalancing_enabled",
        "locust_fleet/master/runner.py",
        "it would move users where messages are read",
        "0ec2e2c4b4a1",
    ),
    Upstream(
        "locust.runners:MasterRunner._wait_for_workers_report_after_ramp_up",
        "locust_fleet/master/runner.py",
        "a worker that comes or goes meanwhile is never rebalanced",
        "561926baf2cd",
    ),
    Upstream(
        "locust.runners:WorkerRunner.__init__",
        "locust_fleet/worker/runner.py",
        "messages come before init",
        "1d876e9294b5",
    ),
    Upstream(
        "locust.runners:WorkerRunner.worker",
        "locust_fleet/worker/runner.py",
        "its end ends nothing",
        "71170667769c",
    ),
    Upstream(
        "locust.runners:WorkerRunner.heartbeat",
        "locust_fleet/worker/runner.py",
        "its end ends nothing",
        "b0aa7d8a9e63",
    ),
    Upstream(
        "locust.runners:WorkerRunner.stats_reporter",
        "locust_fleet/worker/runner.py",
        "its end ends nothing",
        "7fda1cd993b5",
    ),
    Upstream(
        "locust.runners:WorkerRunner.heartbeat_timeout_checker",
        "locust_fleet/worker/runner.py",
        "it ends a worker that has no master, and its counts with it",
        "f4161af03189",
    ),
    Upstream(
        "locust.runners:WorkerRunner.handle_message",
        "locust_fleet/worker/runner.py",
        "messages of Locust's own types cannot be registered for",
        "35cce2c6ddaa",
    ),
    Upstream(
        "locust.runners:WorkerRunner.reset_connection",
        "locust_fleet/worker/runner.py",
        "it connects to the same address",
        "6cc4213bebd6",
    ),
    Upstream(
        "locust.runners:WorkerRunner._send_stats",
        "locust_fleet/worker/runner.py",
        "a report that cannot be sent ends the loop",
        "edb2bc9d1bd5",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.__init__",
        "locust_fleet/master/dispatch/dispatcher.py",
        "it divides evenly, whatever a worker can bear",
        "42f485d82649",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.__next__",
        "locust_fleet/master/dispatch/dispatcher.py",
        "ours is iterated anew for each target",
        "d043f99d7d82",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.dispatch_in_progress",
        "locust_fleet/master/dispatch/dispatcher.py",
        "it stays set after a rebalance",
        "c09dab902439",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.get_current_user_count",
        "locust_fleet/master/dispatch/dispatcher.py",
        "ours counts by its plan",
        "6a1ca0da68f7",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.new_dispatch",
        "locust_fleet/master/dispatch/dispatcher.py",
        "ours plans for weights and limits",
        "a6bf649f8139",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.add_worker",
        "locust_fleet/master/dispatch/dispatcher.py",
        "it takes in workers that are not ready for users",
        "f6f95e3d8238",
    ),
    Upstream(
        "locust.dispatch:UsersDispatcher.remove_worker",
        "locust_fleet/master/dispatch/dispatcher.py",
        "it starts all users of a lost worker at once",
        "fe3f71669f9c",
    ),
    Upstream(
        "locust.stats:stats_history",
        "locust_fleet/bootstrap.py",
        "no chart is shown any more after one failure",
        "f4fb6370ab39",
    ),
    Upstream(
        "locust.stats:StatsEntry.unserialize",
        "locust_fleet/locust_patches/stats_rows.py",
        "it makes an entry of each row of each report",
        "b6799599a77d",
    ),
    Upstream(
        "locust.stats:StatsEntry._cache_response_times",
        "locust_fleet/locust_patches/stats_memory.py",
        "it keeps a copy of all response times for each second",
        "75f5517a19cc",
    ),
    Upstream(
        "locust.stats:EntriesDict.__missing__",
        "locust_fleet/locust_patches/stats_names.py",
        "names of requests have no bound",
        "600118dd96fb",
    ),
    Upstream(
        "locust.stats:RequestStats.log_error",
        "locust_fleet/locust_patches/stats_names.py",
        "failures have no bound",
        "25e6dca91226",
    ),
    Upstream(
        "locust.stats:RequestStats.log_request",
        "locust_fleet/locust_patches/stats_buckets.py",
        "it rounds response times to two digits",
        "35155cb9df85",
    ),
    Upstream(
        "locust.stats:bucket_response_time",
        "locust_fleet/locust_patches/stats_buckets.py",
        "the same",
        "e175a7d2fc0c",
    ),
    Upstream(
        "locust.user.users:DefaultTaskSet",
        "locust_fleet/users/arrival/task_set.py",
        "users of an open model begin a task when it arrives",
        "99793aafeaab",
    ),
    Upstream(
        "locust.clients:HttpSession.request",
        "locust_fleet/locust_patches/http_clients.py",
        "it waits for ever by default, and nothing counts requests that wait",
        "32c96e42d215",
    ),
    Upstream(
        "locust.contrib.fasthttp:FastHttpSession.request",
        "locust_fleet/locust_patches/http_clients.py",
        "nothing counts requests that wait",
        "1d81cbebfe92",
    ),
    Upstream(
        "locust.contrib.fasthttp:FastHttpUser.connection_timeout",
        "locust_fleet/locust_patches/http_clients.py",
        "no option sets it for all users",
        "db58b6c40698",
    ),
    Upstream(
        "locust.contrib.fasthttp:FastHttpUser.network_timeout",
        "locust_fleet/locust_patches/http_clients.py",
        "no option sets it for all users",
        "db58b6c40698",
    ),
    Upstream(
        "requests.adapters:HTTPAdapter.send",
        "locust_fleet/locust_patches/http_clients.py",
        "each request of HttpUser passes here, also after a redirect",
        "a8b4a1d8c114",
    ),
    Upstream(
        "geventhttpclient.connectionpool:ConnectionPool._create_socket",
        "locust_fleet/locust_patches/http_clients.py",
        "each connection of FastHttpUser is opened here",
        "3e708930d7a1",
    ),
    Upstream(
        "gevent.resolver.thread:Resolver.getaddrinfo",
        "locust_fleet/locust_patches/http_clients.py",
        "each new connection asks the name server anew",
        "775fb37ce8e0",
    ),
    Upstream(
        "gevent.hub:Hub.print_exception",
        "locust_fleet/logs.py",
        "it writes to stderr past the log",
        "9a16090ef1da",
    ),
    Upstream(
        "certifi:where",
        "locust_fleet/cli/main.py",
        "Locust's sessions do not look at SSL_CERT_FILE",
        "36d5ec14074f",
    ),
)


if __name__ == "__main__":
    sys.exit(report(CONTRACT))
