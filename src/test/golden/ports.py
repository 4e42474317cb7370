# SPDX-License-Identifier: MIT
"""LPC until 2003 and ALPC since Vista: a named connection port, the two communication ports of a client, messages.

LPC: a client that waits for a reply has its port, with the low bit set, where the message will stand; the connection
port's Creator is the server (Windows Research Kernel, lpcsend.c and lpcp.h). ALPC: the three ports share one
ALPC_COMMUNICATION_INFO; the message names who waits for its reply, the port whose queue it is in, and, once somebody
received it, that thread (member names of the public PDBs; the states of u1.s1 are not used here).
"""
from synth import Ref


class Ports:
    def __init__(self, system):
        self.system = system
        self.made = {}

    def _headed(self, kind, struct, path=None):
        system = self.system
        size = system.struct_size(struct)
        folder, _, name = (path or "").rpartition("\\")
        directory = system.executive.directory(folder or "\\") if path else None
        va = system.executive.make(kind, size, name or None, handles=1, directory=directory)
        return system.object(va, struct)

    # ------------------------------------------------------------ LPC

    def has_lpc(self):
        return "_LPCP_PORT_OBJECT" in self.system.places["structs"] and "Port" in self.system.executive.names

    def lpc(self, thread, told):
        """The client's port and its message: addresses. Who serves is written under told."""
        recipe = thread.recipe["lpc"]
        name, server = recipe.get("port_name", "\\LsaAuthenticationPort"), recipe.get("server")
        port = self._lpc_connection(name, server, told)
        client, far = (self._headed("Port", "_LPCP_PORT_OBJECT") for _ in range(2))
        for one, other in ((client, far), (far, client)):
            one.put("ConnectionPort", port.va)
            one.put("ConnectedPort", other.va)
            one.put("Creator.UniqueProcess", thread.process.pid)
            one.put("Creator.UniqueThread", thread.tid)
            one.empty_list("LpcReplyChainHead")
        message = self.system.object(self.system.take("paged", self.system.struct_size("_LPCP_MESSAGE") + 0x40, "LpcM"),
                                     "_LPCP_MESSAGE")
        message.empty_list("Entry")
        message.put("SenderPort", client.va)
        message.put("Request.u2.s2.Type", 1)  # LPC_REQUEST
        message.put("Request.ClientId.UniqueProcess", thread.process.pid)
        message.put("Request.ClientId.UniqueThread", thread.tid)
        message.put("Request.MessageId", recipe["id"])
        return client.va, message.va

    def _lpc_connection(self, name, server, told):
        if name not in self.made:
            port = self.made[name] = self._headed("Port", "_LPCP_PORT_OBJECT", name)
            port.put("ConnectionPort", port.va)
            port.empty_list("LpcReplyChainHead")
            if server:
                port.put("Creator.UniqueProcess", server["pid"])
                port.put("Creator.UniqueThread", server["tid"])
                port.put("ServerProcess", Ref(f"process {server['pid']}"))
        port = self.made[name]
        told.update(object=hex(port.va), name=name, server_pid=server and server["pid"],
                    server_tid=server and server["tid"])
        return port

    # ------------------------------------------------------------ ALPC

    def has_alpc(self):
        return "_KALPC_MESSAGE" in self.system.places["structs"]

    def alpc(self, thread, spec, told):
        """The message's address. spec: id, port (its name), server = { pid, tid }, received (that thread has it)."""
        system = self.system
        port = self._alpc_connection(spec.get("port", "\\RPC Control\\golden"), spec.get("server"), told)
        client, far = (self._headed("ALPC Port", "_ALPC_PORT") for _ in range(2))
        info = system.object(system.take("paged", system.struct_size("_ALPC_COMMUNICATION_INFO"), "AlCI"),
                             "_ALPC_COMMUNICATION_INFO")
        info.put("ConnectionPort", port.va)
        info.put("ServerCommunicationPort", far.va)
        info.put("ClientCommunicationPort", client.va)
        info.empty_list("CommunicationList")
        for one in (client, far):
            self._queues(one)
            one.put("CommunicationInfo", info.va)
        client.put("OwnerProcess", thread.process.object.va)
        far.put("OwnerProcess", port.get("OwnerProcess"))
        if spec.get("server"):
            far.put("OwnerProcess", Ref(f"process {spec['server']['pid']}"))
        message = system.object(system.take("paged", system.struct_size("_KALPC_MESSAGE") + 0x40, "AlMs"),
                                "_KALPC_MESSAGE")
        system.link(port.at("PendingQueue" if spec.get("received") else "MainQueue"), [message.at("Entry")])
        for name, value in (("PortQueue", port.va), ("OwnerPort", client.va), ("WaitingThread", thread.object.va),
                            ("ConnectionPort", port.va), ("CommunicationInfo", info.va), ("SequenceNo", 7),
                            ("PortMessage.u2.s2.Type", 1),
                            ("PortMessage.ClientId.UniqueProcess", thread.process.pid),
                            ("PortMessage.ClientId.UniqueThread", thread.tid), ("PortMessage.MessageId", spec["id"])):
            message.put(name, value)
        if spec.get("received"):
            message.put("ServerThread", Ref(f"tid {spec['server']['tid']}"))
            told["server_tid"] = spec["server"]["tid"]
        return message.va

    def _queues(self, port):
        for name in ("PortListEntry", "MainQueue", "PendingQueue", "LargeMessageQueue", "WaitQueue", "CanceledQueue"):
            port.empty_list(name)

    def _alpc_connection(self, name, server, told):
        if name not in self.made:
            port = self.made[name] = self._headed("ALPC Port", "_ALPC_PORT", name)
            self._queues(port)
            if server:
                port.put("OwnerProcess", Ref(f"process {server['pid']}"))
        port = self.made[name]
        told.update(object=hex(port.va), name=name, server_pid=server and server["pid"])
        return port
