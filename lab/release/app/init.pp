# The role `shop` at release @RELEASE@. This manifest is part of the release package, so that a
# release and the configuration that it needs can never be of two minds.
class shop_@MODULE@ {
  package { 'shop-app':
    ensure => '@RELEASE@',
  }
  ~> service { 'shop-app':
    ensure => running,
    enable => true,
  }
  # The package brings its NRPE check; the daemon reads it when it is told to.
  ~> exec { 'shop: reread the NRPE checks':
    command     => '/bin/systemctl reload-or-restart nagios-nrpe-server',
    refreshonly => true,
  }
}
