"""The open model: iterations begin at times of their own, whatever became of those before."""
