package eventjson

import "time"

// Line is what a line holds, for who reads it.
type Line struct {
	Agent      string         `json:"agent,omitempty"`
	Arrived    time.Time      `json:"arrived,omitzero"`
	File       string         `json:"file,omitempty"`
	Line       uint64         `json:"line,omitempty"`
	Time       time.Time      `json:"time,omitzero"`
	Kind       string         `json:"kind"`
	Rule       string         `json:"rule,omitempty"`
	SourceIP   string         `json:"source_ip,omitempty"`
	SourceHost string         `json:"source_host,omitempty"`
	SourcePort uint16         `json:"source_port,omitempty"`
	User       string         `json:"user,omitempty"`
	Count      uint64         `json:"count,omitempty"`
	Severity   string         `json:"severity,omitempty"`
	Host       string         `json:"host,omitempty"` // the machine that wrote the log line, if it is not the agent's own
	Detail     map[string]any `json:"detail,omitempty"`

	// Of a correction, which is no event:
	CorrectedBy int64  `json:"corrected_by,omitempty"`
	Reason      string `json:"reason,omitempty"`
}
