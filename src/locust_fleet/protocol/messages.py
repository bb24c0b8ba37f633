"""The names of the messages between master and workers besides Locust's own, and of fields."""

# Of a numbered report: its run, its number in that run, and the lowest number that is kept.
RUN, NUMBER, OLDEST = "fleet_run", "fleet_number", "fleet_oldest"
# Messages to a worker about a run's reports: up to a number they may be forgotten, or after a
# number they are wanted once more.
ACKNOWLEDGED, RESEND = "fleet_kept", "fleet_wanted"
# The question to a worker that a master does not know, and its answer.
WHO, HERE = "fleet_who", "fleet_here"
# A worker asks where the arrivals of a run are; the answer, which also comes unasked.
ARRIVALS = "fleet_arrivals"
# A worker has refused a connection to a target.
TARGET_REFUSED = "target_refused"
# Locust sends options that are not its own to the workers with each spawn message: what the log
# says of the run, and when it is due to end, in seconds since 1970; None without a run time.
RUN_OPTION, RUN_ENDS = "fleet_run", "fleet_run_ends"
# The last word of a leader that hands over.
FAREWELL = "fleet_farewell"
# A worker says at start how many users it can bear; also a key of its reports.
CAPACITY = "capacity"
# A worker begins to leave.
LEAVING = "leaving"
# A worker was asleep; the master tells it to give up its users; it has.
AWOKE, GIVE_UP, GAVE_UP = "awoke", "give_up", "gave_up"
# A worker asks the leader for shared data; the answer.
ASK_DATA, DATA = "data", "data_answer"
