from .convergence import convergence_of as convergence_of
from .convergence import ess as ess
from .convergence import r_hat as r_hat
from .forecast import changes_between as changes_between
from .from_draws import possible as possible
from .past import week_path as week_path
