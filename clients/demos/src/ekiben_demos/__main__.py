"""`python -m ekiben_demos`: the gallery in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile

STOPPING = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(prog="ekiben_demos", description="Demos of an ekiben server, in the browser.")
    parser.add_argument("--server", default="http://localhost:3000", help="the ekiben server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    arguments = parser.parse_args()
    # Waited for below. Blocked first, so that no other thread can take them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    with tempfile.TemporaryDirectory(prefix="ekiben-demos-") as folder:
        tempfile.tempdir = folder
        # Read when Gradio is imported: nothing is sent anywhere, and uploads go when the process goes.
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", GRADIO_TEMP_DIR=folder)
        serve(arguments.server, arguments.host, arguments.port)


def serve(server_url: str, host: str, port: int) -> None:
    """Serve the gallery until a signal comes, which has to be blocked."""
    from ekiben_demos import gallery, look, server
    from ekiben_demos.apps import DEMOS
    from ekiben_demos.media import EXAMPLES

    server.connect(server_url)
    blocks = gallery.build(DEMOS)
    blocks.launch(
        server_name=host,
        server_port=port,
        theme=look.theme(),
        css=look.CSS,
        head=look.HEAD,
        allowed_paths=[str(EXAMPLES)],
        footer_links=[],
        max_file_size="100mb",
        share=False,
        ssr_mode=False,  # it would start a Node server beside this one
        quiet=True,
        prevent_thread_lock=True,
    )
    print(f"Demos: http://{host}:{port} (server: {server_url})", flush=True)
    signal.sigwait(STOPPING)
    blocks.close(verbose=False)
    server.disconnect()


if __name__ == "__main__":
    main()
