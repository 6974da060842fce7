# Packages come from our archive alone, and only under its signature.
class snowmelt_base::archive {
  $key = '/etc/apt/keyrings/archive.asc'

  file { '/etc/apt/keyrings':
    ensure => directory,
  }
  -> file { $key:
    source => 'puppet:///modules/snowmelt_base/archive.asc',
  }
  -> file { '/etc/apt/sources.list.d/archive.list':
    content => "deb [signed-by=${key}] ${snowmelt_base::archive} ./\n",
  }
  ~> exec { 'read the archive':
    command     => '/usr/bin/apt-get update -qq --error-on=any',
    refreshonly => true,
    tries       => 3,
    try_sleep   => 1,
  }
}
