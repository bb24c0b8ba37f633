"""List everything of Locust and its dependencies that we replace or override, and why.

Each entry has a digest of the upstream source for which our code was written. Run this module with
another Locust installed to see which entries to review:

    python -m locust_fleet.locust_patches.contract
"""

from __future__ import annotations

import sys

from locust_fleet.locust_patches.upstream import report, upstream_of

# For Locust 2.47.0 and the dependencies in our lock file.
CONTRACT = (
    *upstream_of(
        "locust_fleet/bootstrap.py",
        {
            "locust.env:Environment.create_master_runner": (
                "be62291ef887",
                "the runner listens as soon as it exists, before this master leads",
            ),
            "locust.env:Environment.create_worker_runner": (
                "7e8478412bc7",
                "it names the class of the runner",
            ),
            "locust.main:setup_logging": (
                "24c160b16b05",
                "it sets up handlers of its own after ours",
            ),
            "locust.rpc.zmqrpc:Client": (
                "c05e2a1ae3d0",
                "it keeps one address, and obeys any sender",
            ),
            "locust.runners:HEARTBEAT_INTERVAL": ("6b86b273ff34", "no option sets it"),
            "locust.runners:HEARTBEAT_LIVENESS": ("4e07408562be", "no option sets it"),
            "locust.runners:_aggregate_dispatched_users": (
                "acc4848e3a77",
                "it raises StopIteration when all workers are leaving or returning",
            ),
            "locust.stats:stats_history": (
                "f4fb6370ab39",
                "it ends after one failure, and all charts with it",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/cli/run_locust.py",
        {
            "certifi:where": ("36d5ec14074f", "Locust's sessions ignore SSL_CERT_FILE"),
        },
    ),
    *upstream_of(
        "locust_fleet/locust_patches/http_clients.py",
        {
            "gevent.resolver.thread:Resolver.getaddrinfo": (
                "775fb37ce8e0",
                "it asks the name server again for each new connection",
            ),
            "geventhttpclient.connectionpool:ConnectionPool._create_socket": (
                "3e708930d7a1",
                "each connection of FastHttpUser is opened here",
            ),
            "locust.clients:HttpSession.request": (
                "32c96e42d215",
                "it waits forever by default, and nothing counts waiting requests",
            ),
            "locust.contrib.fasthttp:FastHttpSession.request": (
                "1d81cbebfe92",
                "nothing counts requests that wait for a response",
            ),
            "locust.contrib.fasthttp:FastHttpUser.connection_timeout": (
                "db58b6c40698",
                "no option sets it for all users",
            ),
            "locust.contrib.fasthttp:FastHttpUser.network_timeout": (
                "db58b6c40698",
                "no option sets it for all users",
            ),
            "requests.adapters:HTTPAdapter.send": (
                "a8b4a1d8c114",
                "each request of HttpUser passes here, also after a redirect",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/locust_patches/stats_buckets.py",
        {
            "locust.stats:RequestStats.log_request": (
                "35155cb9df85",
                "it rounds response times to two digits",
            ),
            "locust.stats:bucket_response_time": (
                "e175a7d2fc0c",
                "it rounds response times to two digits",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/locust_patches/stats_memory.py",
        {
            "locust.stats:StatsEntry._cache_response_times": (
                "75f5517a19cc",
                "it keeps a copy of all response times for each second",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/locust_patches/stats_names.py",
        {
            "locust.stats:EntriesDict.__missing__": (
                "600118dd96fb",
                "names of requests have no limit",
            ),
            "locust.stats:RequestStats.log_error": ("25e6dca91226", "failures have no limit"),
        },
    ),
    *upstream_of(
        "locust_fleet/locust_patches/stats_rows.py",
        {
            "locust.stats:StatsEntry.unserialize": (
                "b6799599a77d",
                "it makes an entry of each row of each report",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/logs.py",
        {
            "gevent.hub:Hub.print_exception": (
                "9a16090ef1da",
                "it writes to stderr instead of the log",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/master/app.py",
        {
            "locust.env:Environment._create_runner": (
                "6e8e23b6d62c",
                "it makes a runner of any class",
            ),
            "locust.rpc.zmqrpc:Server": ("0f21778958fd", "the runner makes it by this name"),
        },
    ),
    *upstream_of(
        "locust_fleet/master/dispatch/dispatcher.py",
        {
            "locust.dispatch:UsersDispatcher.__init__": (
                "42f485d82649",
                "it divides users evenly, whatever a worker can carry",
            ),
            "locust.dispatch:UsersDispatcher.__next__": (
                "d043f99d7d82",
                "ours needs a new iterator for each target",
            ),
            "locust.dispatch:UsersDispatcher.add_worker": (
                "f6f95e3d8238",
                "it adds workers that are not ready for users",
            ),
            "locust.dispatch:UsersDispatcher.dispatch_in_progress": (
                "c09dab902439",
                "it stays set after a rebalance",
            ),
            "locust.dispatch:UsersDispatcher.get_current_user_count": (
                "6a1ca0da68f7",
                "ours counts by its plan",
            ),
            "locust.dispatch:UsersDispatcher.new_dispatch": (
                "a6bf649f8139",
                "ours plans for weights and limits",
            ),
            "locust.dispatch:UsersDispatcher.remove_worker": (
                "fe3f71669f9c",
                "it starts all users of a lost worker at once",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/master/runner.py",
        {
            "locust.runners:MasterRunner.__init__": (
                "a03c4cf8e643",
                "its loops start before the parts of the fleet exist",
            ),
            "locust.runners:MasterRunner._wait_for_workers_report_after_ramp_up": (
                "561926baf2cd",
                "it never rebalances for a worker that joins or leaves meanwhile",
            ),
            "locust.runners:MasterRunner.client_listener": (
                "f99a732d3595",
                "it reads messages before init, and Locust goes on without it when it ends",
            ),
            "locust.runners:MasterRunner.handle_message": (
                "cf4db529aed3",
                "messages of Locust's own types cannot be registered for",
            ),
            "locust.runners:MasterRunner.heartbeat_worker": (
                "40826c648165",
                "Locust goes on without it when it ends",
            ),
            "locust.runners:MasterRunner.rebalancing_enabled": (
                "0ec2e2c4b4a1",
                "it would move users in the loop that reads messages",
            ),
            "locust.runners:MasterRunner.start": (
                "4e8ae4842328",
                "no event can refuse a start",
            ),
            "locust.runners:MasterRunner.stop": (
                "13390a98fc27",
                "it does not end the ramp-up, and it ends a run whose workers are late",
            ),
            "locust.runners:Runner.update_state": (
                "9a30644c2b75",
                "a spawn that is just finishing undoes a stop",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/master/server.py",
        {
            "locust.rpc.zmqrpc:BaseSocket.__init__": (
                "2edddab08bc8",
                "it makes the socket, whose options must be set before it listens",
            ),
            "locust.rpc.zmqrpc:BaseSocket.recv_from_client": (
                "7abd06aed9b9",
                "it raises for anything that is not a message",
            ),
            "locust.rpc.zmqrpc:BaseSocket.send_to_client": (
                "e5c741d24836",
                "each message needs its master's epoch",
            ),
            "locust.rpc.zmqrpc:Server.__init__": (
                "02b856661102",
                "it listens before options can be set",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/master/workers/class_settings.py",
        {
            "locust.env:Environment.update_user_class": (
                "6d564fb43aaa",
                "it does not keep settings for later workers, and applies any value",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/protocol/epoch.py",
        {
            "locust.rpc.protocol:Message.__init__": (
                "337055f700bf",
                "a message that is to be sent says its epoch besides",
            ),
            "locust.rpc.protocol:Message.serialize": (
                "4ce6debee565",
                "the epoch stands with the name of the worker",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/users/arrival/task_set.py",
        {
            "locust.user.task:DefaultTaskSet.execute_task": (
                "1373dab8ac86",
                "response times count from the intended start as well",
            ),
            "locust.user.task:DefaultTaskSet.get_next_task": (
                "c7697bf822a5",
                "the task begins with an arrival",
            ),
            "locust.user.task:TaskSet.__init__": (
                "005f46996440",
                "it knows the arrivals of its class of users",
            ),
            "locust.user.task:TaskSet.wait": (
                "6eb57b4538d9",
                "a user of an open model waits for an arrival",
            ),
            "locust.user.users:DefaultTaskSet": (
                "99793aafeaab",
                "users of an open model begin a task when an iteration arrives",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/users/http.py",
        {
            "locust.user.users:User.__init__": (
                "2a3353c9f24b",
                "each user has a client of its own",
            ),
            "locust.user.users:User.start": (
                "11d099324dfe",
                "the connections of a user that has ended are closed",
            ),
            "locust.user.users:User.stop": (
                "96dfa1ff9c78",
                "a user that is about to end sends no request that nobody counts",
            ),
        },
    ),
    *upstream_of(
        "locust_fleet/worker/runner.py",
        {
            "locust.runners:WorkerRunner.__init__": ("1d876e9294b5", "messages arrive before init"),
            "locust.runners:WorkerRunner._send_stats": (
                "edb2bc9d1bd5",
                "a report that cannot be sent ends the loop",
            ),
            "locust.runners:WorkerRunner.handle_message": (
                "35cce2c6ddaa",
                "messages of Locust's own types cannot be registered for",
            ),
            "locust.runners:WorkerRunner.heartbeat": (
                "b0aa7d8a9e63",
                "Locust goes on without it when it ends",
            ),
            "locust.runners:WorkerRunner.heartbeat_timeout_checker": (
                "f4161af03189",
                "it ends a worker that has no master, whose counts are lost then",
            ),
            "locust.runners:WorkerRunner.reset_connection": (
                "6cc4213bebd6",
                "it connects to the same address",
            ),
            "locust.runners:WorkerRunner.stats_reporter": (
                "7fda1cd993b5",
                "Locust goes on without it when it ends",
            ),
            "locust.runners:WorkerRunner.worker": (
                "71170667769c",
                "Locust goes on without it when it ends",
            ),
        },
    ),
)


if __name__ == "__main__":
    sys.exit(report(CONTRACT))
