package rule

// Request is what is particular to rules for web logs: which requests of access logs a rule looks
// at, and where in them.
//
// Patterns see text in one spelling: lower case, escapes of the log and of URLs decoded (also
// those within others), plus signs of the query as spaces. Only a user name is seen as logged.
type Request struct {
	In      Part     `yaml:"in,omitempty"`       // default target
	Methods []string `yaml:"methods,omitempty"`  // request methods; default all
	Status  []uint16 `yaml:"status,omitempty"`   // 404, or 4 for all from 400 to 499; default all. Of a rule for error logs: what the server answers
	From    []string `yaml:"from,omitempty"`     // networks of the clients; default all
	Always  bool     `yaml:"always,omitempty"`   // of a rule for error logs with in: target: an event even if no rule for requests matches
	AnyKind bool     `yaml:"any_kind,omitempty"` // of a rule for error logs: what the access log says of the request may be of another kind
}

// Part is a part of a request.
type Part string

// The parts. A rule for error logs with the part target hands its group target to the rules for
// requests.
const (
	PartTarget    Part = "target"    // path and query
	PartReferer   Part = "referer"   // the Referer header
	PartAgent     Part = "agent"     // the User-Agent header
	PartUser      Part = "user"      // the name that was authenticated, or tried to be
	PartMalformed Part = "malformed" // the request line, where it is none of HTTP's
	PartAny       Part = "any"       // target, referer and agent
)

// part is a number for a part of a request.
type part int

const (
	target part = iota
	referer
	agent
	user
	malformed
	parts
)

var partsOf = map[Part][]part{
	PartTarget: {target}, PartReferer: {referer}, PartAgent: {agent}, PartUser: {user}, PartMalformed: {malformed},
	PartAny: {target, referer, agent},
}
