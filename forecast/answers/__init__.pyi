from .forecast import LiveForecast as LiveForecast
from .rule_probability import PATHS as PATHS
from .what_if import forced_states as forced_states
from .what_if import supposed_rows as supposed_rows
