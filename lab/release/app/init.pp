# The role `@SERVICE@` at release @RELEASE@. This manifest is part of the release package, so that a
# release and the configuration that it needs can never be of two minds.
class @MODULE@ {
  # What this site wants otherwise than the package does: `@SERVICE@::settings` in hiera.
  $settings = lookup('@SERVICE@::settings', Hash[String, String], 'hash', {})
  $lines = $settings.map |$key, $value| { "${key} = ${value}\n" }

  package { '@PACKAGE@':
    ensure => '@RELEASE@',
  }
  -> file { '/etc/@PACKAGE@/site.conf':
    content => join($lines),
  }
  ~> service { '@PACKAGE@':
    ensure    => running,
    enable    => true,
    subscribe => Package['@PACKAGE@'],
  }
  # The package brings its NRPE check; the daemon reads it when it is told to.
  ~> exec { '@SERVICE@: reread the NRPE checks':
    command     => '/bin/systemctl reload-or-restart nagios-nrpe-server',
    refreshonly => true,
    subscribe   => Package['@PACKAGE@'],
  }
}
