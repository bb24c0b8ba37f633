"""The types of messages between master and workers besides Locust's own, and field names."""

# Fields of a numbered report: its run, its number in that run, and the lowest number that the
# worker still keeps.
RUN, NUMBER, OLDEST = "fleet_run", "fleet_number", "fleet_oldest"
# Messages to a worker about a run's reports: those up to a number are safe; those after a number
# are missing, and the worker sends them again.
ACKNOWLEDGED, RESEND = "fleet_kept", "fleet_wanted"
# A master asks an unknown worker what it runs; its answer.
WHO, HERE = "fleet_who", "fleet_here"
# A worker asks for the timeline of arrivals; the leader's answer, which it also sends unasked.
ARRIVALS = "fleet_arrivals"
# A worker has refused a connection to a target.
TARGET_REFUSED = "target_refused"
# Locust sends options that are not its own to the workers with each spawn message: the log fields
# of the run, and when it ends, in seconds since 1970; None without a run time.
RUN_OPTION, RUN_ENDS = "fleet_run", "fleet_run_ends"
# The last message of a leader that hands over.
FAREWELL = "fleet_farewell"
# A worker announces its weight and limit of users at start; also a key of its reports.
CAPACITY = "capacity"
# A worker starts to leave.
LEAVING = "leaving"
# A worker was asleep; the master asks it to stop its users; it has stopped them.
AWOKE, GIVE_UP, GAVE_UP = "awoke", "give_up", "gave_up"
# A worker asks the leader for shared data; the leader's answer.
ASK_DATA, DATA = "data", "data_answer"
