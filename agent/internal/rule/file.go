package rule

// file is a file with rules: what its rules have in common, and the rules.
type file struct {
	Type    Type     `yaml:"type"`
	Service string   `yaml:"service"`
	Tags    []string `yaml:"tags"`
	PAM     []string `yaml:"pam"`
	Join    Join     `yaml:"join"`
	Longest int      `yaml:"longest"`
	Root    bool     `yaml:"root"`
	Rules   []*entry `yaml:"rules"`
}

// entry is a rule as it is written. Fields that are left out take the value of the file's head.
// Kind and severity are texts because the YAML library takes a millisecond for ten of any other
// type that reads itself.
type entry struct {
	ID       string    `yaml:"id"`
	Kind     string    `yaml:"kind"`     // what the event is; not needed for start, context, success and ignore
	Severity string    `yaml:"severity"` // default: the kind's
	Type     Type      `yaml:"type"`     // kind of log; default syslog
	Service  string    `yaml:"service"`  // daemon; joins lines, and names it in events
	Tags     []string  `yaml:"tags"`     // syslog tags; "*" stands for any text
	PAM      []string  `yaml:"pam"`      // instead of tags: PAM services whose messages the rule reads
	Join     Join      `yaml:"join"`     // what the lines of one connection share; default pid
	Role     Role      `yaml:"role"`     // what a line means for its connection; default event
	Pattern  string    `yaml:"pattern"`  // of the message behind the tag; see groupName for its groups
	Method   string    `yaml:"method"`   // method of the attempt, if no group gives it
	Reason   string    `yaml:"reason"`   // what a probe did, if no group gives it
	Reporter string    `yaml:"reporter"` // who reports the attempt, where several do: daemon, pam or worker
	Asks     string    `yaml:"asks"`     // service that the daemon asks about logins, and that may tell of the same attempts
	Defer    bool      `yaml:"defer"`    // the end is better reported by the connection's next line, if one comes
	Longest  int       `yaml:"longest"`  // messages of this many bytes were cut: no name or address in them is trusted
	Twice    bool      `yaml:"twice"`    // the log gets the same twice: syslog a message, an error log a request
	Root     bool      `yaml:"root"`     // only root's processes write under these tags: from anybody else's they are a lie
	Setuid   []string  `yaml:"setuid"`   // files of the program, which writes under its caller's user id
	Accessed bool      `yaml:"accessed"` // the web server's access log has the same request, for which there is a rule of this kind
	In       string    `yaml:"in"`       // these six are of rules for web logs, see Request
	Methods  []string  `yaml:"methods"`
	Status   []uint16  `yaml:"status"`
	From     []string  `yaml:"from"`
	Always   bool      `yaml:"always"`
	AnyKind  bool      `yaml:"any_kind"`
	Note     string    `yaml:"note"`     // for people: which daemon writes this, and when
	Match    []Example `yaml:"match"`    // lines that the rule must match
	NoMatch  []string  `yaml:"no_match"` // lines that it must not match
}
