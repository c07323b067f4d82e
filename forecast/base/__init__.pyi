from .frames import cell_text as cell_text
from .frames import frame as frame
from .frames import stacked as stacked
