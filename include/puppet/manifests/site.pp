# What a machine is, it was told before it existed: both facts stand in its certificate, which the
# cloud's automation signed after checking them. A machine cannot change its own role or release.
node default {
  $role = $trusted['extensions']['pp_role']
  $release = $trusted['extensions']['1.3.6.1.4.1.34380.1.2.1']

  unless $role and $release {
    fail("The certificate of ${trusted['certname']} names no role and release")
  }

  include snowmelt_base

  # A release brings its own manifest: class shop_1_1 comes out of the package shop-app 1.1.
  # The role `base` is a plain machine: it serves nothing, so nobody publishes a release of it.
  unless $role == 'base' {
    $release_class = "${role}_${regsubst($release, '\\.', '_', 'G')}"
    unless defined($release_class) {
      fail("No release ${release} of ${role} has been published")
    }
    class { $release_class:
      require => Class['snowmelt_base'],
    }
  }
}
