package page

import (
	"net/http"
	"strconv"
	"time"
)

// writeWithin is how long one message to a page may take.
const writeWithin = 10 * time.Second

// stream serves the stream of what happens, as server-sent events. It begins with the picture and
// with the events that came after the id that the page names.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.FormValue("after")
	}
	after, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		after = 0
	}
	stream := s.live.open(after)
	if stream == nil {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.live.close(stream)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{})
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		var m []byte
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			if !s.allowed(r) { // the session has ended meanwhile
				return
			}
			m = []byte(": alive\n\n")
		case next, open := <-stream.messages:
			if !open {
				return
			}
			m = next
		}
		control.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := w.Write(m); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
	}
}
