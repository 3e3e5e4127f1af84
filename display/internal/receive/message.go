package receive

import pialertv1 "github.com/pialert/pialert/proto/pialert/v1"

// BeatOf reads a heartbeat as transports carry it.
func BeatOf(m *pialertv1.Heartbeat) Beat {
	beat := Beat{Dropped: Dropped{Events: m.GetDroppedEvents(), Attempts: m.GetDroppedAttempts()}, Waiting: m.GetWaiting()}
	for _, one := range m.GetLogs() {
		log := Log{Name: string(one.GetName()), Error: string(one.GetError())}
		if at := one.GetLastLine(); at.IsValid() {
			log.LastLine = at.AsTime()
		}
		beat.Logs = append(beat.Logs, log)
	}
	return beat
}
