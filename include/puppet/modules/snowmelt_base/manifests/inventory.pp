# Tells PuppetDB twice an hour what is installed and what listens, beside the agent's own runs: the
# daily proof names what somebody has put on a machine by hand, before that machine is gone. The
# first boot starts the service once the agent is through, and so can anyone who wants it told now.
class snowmelt_base::inventory {
  # by the name that the machine enrolled with: the server's own may be another one
  $who = "--certname ${trusted['certname']} --server ${facts['snowmelt_puppet_server']}"
  $upload = "puppet facts upload ${who} --environment ${server_facts['environment']}"

  file { '/etc/systemd/system/snowmelt-inventory.service':
    content => @("UNIT"),
      [Unit]
      Description=Tell PuppetDB what is installed

      [Service]
      Type=oneshot
      Nice=19
      Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/puppetlabs/bin
      ExecStart=/usr/bin/env ${upload}
      | UNIT
  }
  -> file { '/etc/systemd/system/snowmelt-inventory.timer':
    content => @(UNIT),
      [Unit]
      Description=Tell PuppetDB twice an hour what is installed

      [Timer]
      OnActiveSec=30min
      OnUnitActiveSec=30min
      RandomizedDelaySec=5min

      [Install]
      WantedBy=timers.target
      | UNIT
  }
  -> service { 'snowmelt-inventory.timer':
    ensure => running,
    enable => true,
  }
}
