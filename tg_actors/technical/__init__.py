"""Technical agents: several indicators weigh in on every instrument, none of them is a rule."""
