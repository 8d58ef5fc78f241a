#!/bin/bash
# a few kills of driver and trainer at random moments; tests/pipe/kill-resume.sh 50 is the whole campaign
exec bash "${BASH_SOURCE[0]%/*}/kill-resume.sh" "${KILLS:-4}" "${SEED:-7}"
