import sys

from services.cluster.projector import run
from services.settings import read_settings

sys.exit(run(read_settings()))
