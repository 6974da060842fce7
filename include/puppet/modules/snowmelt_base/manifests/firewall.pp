# The machine's own firewall: the balancer reaches the application, monitoring reaches both.
class snowmelt_base::firewall {
  file { '/etc/nftables.conf':
    mode         => '0755',
    content      => epp('snowmelt_base/nftables.conf.epp', {
      balancers  => $snowmelt_base::balancers,
      monitoring => $snowmelt_base::monitoring,
      port       => $snowmelt_base::application_port,
    }),
    validate_cmd => '/usr/sbin/nft --check --file %',
  }
  ~> exec { 'load the firewall':
    command     => '/usr/sbin/nft --file /etc/nftables.conf',
    refreshonly => true,
  }
  service { 'nftables':
    enable => true,
  }
}
