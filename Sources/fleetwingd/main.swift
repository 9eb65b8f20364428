print("fleetwingd")
