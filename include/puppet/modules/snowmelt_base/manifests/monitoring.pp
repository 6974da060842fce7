# NRPE answers monitoring and nobody else; the checks themselves come with the release.
class snowmelt_base::monitoring {
  $allowed = join($snowmelt_base::monitoring, ',')

  file { '/etc/nagios/nrpe.d/snowmelt.cfg':
    content => "allowed_hosts=127.0.0.1,${allowed}\n",
  }
  ~> service { 'nagios-nrpe-server':
    ensure => running,
    enable => true,
  }
}
