"""What carries requests to the servers of a cluster (pods, services, kubelets) and their answers back.

`endpoints/proxy.py` puts it together. Where a request goes, which headers go with it and how links are changed is
decided in pure code (`locations`, `headers`, `links`, `html`); `backend` does the talking.
"""
