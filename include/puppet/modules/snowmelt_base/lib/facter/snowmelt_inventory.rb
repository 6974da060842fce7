# What is installed and what listens: the daily proof compares a new machine with the one that it
# replaces, and tells what somebody has put there by hand before it is gone.
Facter.add(:snowmelt_inventory) do
  confine kernel: 'Linux'

  setcode do
    packages = if Facter::Core::Execution.which('dpkg-query')
                 "dpkg-query --show --showformat '${db:Status-Abbrev}\\t${Package}\\t${Version}\\n'"
               elsif Facter::Core::Execution.which('rpm')
                 "rpm --query --all --queryformat 'ii\\t%{NAME}\\t%{VERSION}-%{RELEASE}\\n'"
               end
    lines = packages ? Facter::Core::Execution.execute(packages).lines : []
    installed = lines.map { |line| line.strip.split("\t") }.select { |status, *| status.strip == 'ii' }

    # Ports below 32768 only: above are those that the kernel gives out by chance.
    listening = Dir.glob('/proc/net/{tcp,tcp6,udp,udp6}').flat_map do |file|
      kind = File.basename(file).delete('6')
      open = kind == 'tcp' ? '0A' : '07'
      File.readlines(file).drop(1).map(&:split).select { |row| row[3] == open }.map do |row|
        "#{kind} #{row[1].split(':').last.to_i(16)}"
      end
    end

    {
      'packages' => installed.map { |_, name, version| [name, version] }.sort.to_h,
      'listening' => listening.select { |port| port.split.last.to_i < 32_768 }.uniq.sort,
    }
  end
end
