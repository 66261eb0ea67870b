"""Head poses of photo collections and videos as a table, on every core or on a Ray cluster."""
