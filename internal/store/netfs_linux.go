package store

import "golang.org/x/sys/unix"

// networkFileSystem names the network file system that dir is on, by the magic
// numbers of statfs(2).
func networkFileSystem(dir string) (name string, network bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", false
	}
	name, network = map[uint32]string{
		unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
		unix.CIFS_SUPER_MAGIC: "CIFS", unix.AFS_SUPER_MAGIC: "AFS", unix.AFS_FS_MAGIC: "AFS", unix.CODA_SUPER_MAGIC: "Coda",
		unix.NCP_SUPER_MAGIC: "NCP", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph",
	}[uint32(fs.Type)]
	return name, network
}
