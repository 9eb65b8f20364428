print("fleetwing")
