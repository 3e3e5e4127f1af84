// Package containers holds tests of the container images: what is in them, and that they work as
// docs/containers.md says, under podman, read-only and without capabilities. It makes the images itself.
package containers
