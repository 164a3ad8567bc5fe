package wire

// Files in the data folder by which local clients find the server.
const (
	LocalFile = "server.json"
	TokenFile = "token"
)

// Local is the content of LocalFile while a server runs.
type Local struct {
	PID               int               `json:"pid"`
	HTTP              string            `json:"http,omitempty"`  // such as http://localhost:4480
	HTTPS             string            `json:"https,omitempty"` // such as https://localhost:4433
	CertificateHashes []CertificateHash `json:"certificate_hashes,omitempty"`
}
