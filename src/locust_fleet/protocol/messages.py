"""The names of messages between master and workers, and of fields, that Locust does not have."""

# Fields of a numbered report: its run, its number in that run, and the lowest number that the
# worker still has.
RUN, NUMBER, OLDEST = "fleet_run", "fleet_number", "fleet_oldest"
# Messages to a worker about the reports of a run: up to a number they are safe and may be deleted;
# after a number they must be sent again.
KEPT, WANTED = "fleet_kept", "fleet_wanted"
# The question of a master to a worker that it does not know, and the answer.
WHO, HERE = "fleet_who", "fleet_here"
# A worker asks for the arrivals of a run; the answer, which the master also sends unasked.
ARRIVALS = "fleet_arrivals"
# A worker refused a connection to a target.
TARGET_REFUSED = "target_refused"
# Options that Locust sends to the workers with each spawn message: what the log says about the run,
# and when the run ends (seconds since 1970, None without a run time).
RUN_OPTION, RUN_ENDS = "fleet_run", "fleet_run_ends"
# The last message of a leader that hands over.
FAREWELL = "fleet_farewell"
# A worker tells at start how many users it can run; also a key of its reports.
CAPACITY = "capacity"
# A worker starts to leave the fleet.
LEAVING = "leaving"
# A worker was suspended and runs again; the master tells it to stop its users; it has done so.
AWOKE, GIVE_UP, GAVE_UP = "awoke", "give_up", "gave_up"
# A worker asks the leader for shared data, and the answer.
ASK_DATA, DATA = "data", "data_answer"
