package broker

import (
	"context"
	"fmt"
)

// safeReplicas is how many copies of a message survive a power cut of one server.
const safeReplicas = 3

// Frail says why a power cut may make the broker lose what it has acknowledged, for people; empty if it
// may not. JetStream syncs its files every two minutes unless the server is told otherwise, and a
// client is not told which.
func (c *Conn) Frail(_ context.Context, replicas int) string {
	if replicas >= safeReplicas {
		return ""
	}
	return fmt.Sprintf("the stream is on %d server, which syncs its files every two minutes unless its sync_interval says always", replicas)
}
