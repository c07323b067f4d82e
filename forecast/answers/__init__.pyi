from .forecast import LiveForecast as LiveForecast
from .rule_chance import PATHS as PATHS
from .suppose import forced_states as forced_states
from .suppose import supposed_rows as supposed_rows
