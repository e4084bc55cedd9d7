package sandbox

// The network link of a sandbox: one Ethernet segment with two ends, the guest
// (the sandbox's only interface besides lo) and the gateway, which the server
// answers for in user space. Every sandbox has the same addresses on a link of
// its own, so nothing has to be handed out or remembered. Neighbour entries
// are static on both ends: no ARP is ever needed.
const (
	GuestIP    = "10.213.0.2"
	GatewayIP  = "10.213.0.1" // the guest's default route
	LinkBits   = 24           // prefix length of both
	GuestMAC   = "02:00:0a:d5:00:02"
	GatewayMAC = "02:00:0a:d5:00:01"

	// MetadataIP is where name resolution (port 53) and later the metadata
	// server answer, reached through the default route.
	MetadataIP = "169.254.169.254"

	// APIPort is the port beside it where instances reach Storage and Pub/Sub.
	APIPort = 8085

	// LinkMTU is the MTU of the guest's interface. No physical network carries
	// these packets, so they are as large as IPv4 allows: fewer of them pass
	// through the user-space stack.
	LinkMTU = 65520
)
