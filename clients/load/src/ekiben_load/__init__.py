"""MLPerf Inference's scenarios over HTTP: SingleStream, Server and Offline, and overload, with mixes of tasks."""

VERSION = "0.1.0"
