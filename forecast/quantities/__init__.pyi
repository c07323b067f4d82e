from .forecast import changes_between as changes_between
from .past import week_path as week_path
from .read import possible as possible
