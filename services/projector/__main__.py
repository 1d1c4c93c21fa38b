import sys

from services.cluster.projector import run
from services.settings import Settings

sys.exit(run(Settings()))
