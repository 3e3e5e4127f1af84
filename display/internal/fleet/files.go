package fleet

// Files in the folder of an authority.
const (
	settingsFile    = "settings.json"
	keysFile        = "authority.json"
	systemFile      = "system.creds"
	displayFile     = "display.creds"
	invitationsFile = "invitations.json"
	issuedFile      = "issued.json"
	operatorFile    = "operator.jwt"
	lockFile        = "fleet.lock"
	maxFile         = 64 << 20
)
