# What every machine has, whatever it serves: our archive, its monitoring agent, its own firewall.
#
# @param archive          address of the signed package archive
# @param balancers        who may reach the application
# @param monitoring       who may ask the monitoring agent, and check the application
# @param application_port where the application listens
class snowmelt_base (
  String           $archive,
  Array[String[1]] $balancers,
  Array[String[1]] $monitoring,
  Integer          $application_port,
) {
  contain snowmelt_base::archive
  contain snowmelt_base::monitoring
  contain snowmelt_base::firewall
  contain snowmelt_base::inventory
}
