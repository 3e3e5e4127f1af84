package detect

import "time"

// feedWeb reads a line of an access or error log.
func (e *Engine) feedWeb(src *Source, line []byte) {}

// tickWeb ends what time ends in web logs.
func (e *Engine) tickWeb(now time.Time) {}
