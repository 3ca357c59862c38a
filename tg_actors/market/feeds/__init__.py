"""Where rows come from: recorded files and the simulated market."""
