"""What operators look into a running process with: /debug/pprof and /debug/flags, of every component that serves."""

from pybernetes.apiserver.debugging.debugging import Debugging as Debugging
