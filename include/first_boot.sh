#!/bin/sh
# Snowmelt's first boot: from a blank image to an enrolled VM with its release.
#
# OpenNebula's context package runs this at every boot, with the CONTEXT in the environment. The
# image needs nothing of ours, only a context package and puppet-agent. When the VM boots again it
# has its certificate already, and only the agent runs.
set -eu

PATH="$PATH:/opt/puppetlabs/bin"
export PATH

certname=$SET_HOSTNAME
settings=$(puppet config print csr_attributes hostcert --certname "$certname")
attributes=$(printf '%s\n' "$settings" | sed -n 's/^csr_attributes = //p')
certificate=$(printf '%s\n' "$settings" | sed -n 's/^hostcert = //p')
facts_d=${FACTS_D:-/etc/facter/facts.d}

facts() {
    mkdir -p "$facts_d"
    cat > "$facts_d/snowmelt.txt" <<EOF
snowmelt_service=$SNOWMELT_SERVICE
snowmelt_release=$SNOWMELT_RELEASE
snowmelt_slot=$SNOWMELT_SLOT
snowmelt_puppet_server=$PUPPET_SERVER
EOF
}

# The token travels in the request only: a challengePassword never gets into the certificate.
# What is in extension_requests does, and can be read by everybody.
request() {
    umask 077
    mkdir -p "$(dirname "$attributes")"
    cat > "$attributes" <<EOF
---
custom_attributes:
  1.2.840.113549.1.9.7: "$SNOWMELT_TOKEN"
extension_requests:
  1.3.6.1.4.1.34380.1.1.13: "$PUPPET_ROLE"
  1.3.6.1.4.1.34380.1.1.4: "$SNOWMELT_SERVICE"
  1.3.6.1.4.1.34380.1.1.12: "$PUPPET_ENVIRONMENT"
  1.3.6.1.4.1.34380.1.2.1: "$SNOWMELT_RELEASE"
EOF
    umask 022
}

# keepalive 0: over TLS 1.3 the agent's next request on the same connection waits 30 s for the
# server. Never for an agent run: there it makes fetching modules eight times as long.
enrol() {
    trap 'rm -f "$attributes"' EXIT
    request
    puppet ssl bootstrap --certname "$certname" --server "$PUPPET_SERVER" \
        --waitforcert 2 --maxwaitforcert 600 --http_keepalive_timeout 0
    rm -f "$attributes"
}

# 0: nothing to do, 2: changed; 4 and 6: a resource failed, which the report tells to PuppetDB.
# 1: there was no run at all, for example no answer from the server, and so no report either.
# A package repository or a server may be away for a moment: whatever failed is tried again.
configure() {
    for pause in 5 15 0; do
        result=0
        puppet agent --certname "$certname" --server "$PUPPET_SERVER" \
            --environment "$PUPPET_ENVIRONMENT" --onetime --no-daemonize --no-splay \
            --no-usecacheonfailure --detailed-exitcodes || result=$?
        { [ "$result" -ne 0 ] && [ "$result" -ne 2 ]; } || break
        sleep "$pause"
    done
    [ "$result" -eq 0 ] || [ "$result" -eq 2 ]
}

# A run sends the facts from before it; what is compared with the predecessor is what came of it.
# Nobody waits for that. Where the Puppet code makes no such unit, there is nothing to tell.
tell() {
    systemctl start --no-block snowmelt-inventory.service || true
}

facts
[ -s "$certificate" ] || enrol
configure
tell
