"""A service under load: a recorded incident again and again, with a model that answers, at a clock that is moved."""
