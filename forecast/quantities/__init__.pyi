from .convergence import convergence_of as convergence_of
from .convergence import ess as ess
from .convergence import r_hat as r_hat
from .forecast import changes_between as changes_between
from .from_draws import possible as possible
from .likelihood import likelihood_of as likelihood_of
from .likelihood import likelihood_tag as likelihood_tag
from .past import week_path as week_path
