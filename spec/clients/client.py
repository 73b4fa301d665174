"""The sample of Google's documentation: a session that authorizes itself by a key.

Without a key, the metadata server is asked for the token by the library's own module for that: the class in
Debian's version still makes its tokens by signBlob, at a host that is written into it.
"""

import os
import sys
from urllib.parse import quote

import requests
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import IDTokenCredentials

url = sys.argv[1]
key = os.environ.get('GOOGLE_APPLICATION_CREDENTIALS')
if key:
    credentials = IDTokenCredentials.from_service_account_file(key, target_audience=url)
    response = AuthorizedSession(credentials).get(url)
else:
    path = 'instance/service-accounts/default/identity?audience=' + quote(url, safe='')
    token = _metadata.get(Request(), path)
    response = requests.get(url, headers={'Authorization': 'Bearer ' + token})
print(response.status_code)
print(response.text)
