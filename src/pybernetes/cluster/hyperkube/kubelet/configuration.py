"""A KubeletConfiguration: what it says of the kubelet's flags, and what of it is not heeded here."""

from __future__ import annotations

from typing import Any

from pybernetes.cluster.hyperkube import files

VERSION, KIND = "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"
# Where there is a file, these are upstream's defaults, which are stricter than those of the flags.
DEFAULTS = {"anonymous-auth": False, "authentication-token-webhook": True, "authorization-mode": "Webhook"}


def _taints(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("must be a list of taints")
    return [f"{one.get('key', '')}={one.get('value', '')}:{one.get('effect', '')}" for one in value]


FIELDS: files.Fields = {
    "enableServer": ("enable-server", files.boolean),
    "podLogsDir": ("pod-logs-dir", files.text),
    "address": ("address", files.address),
    "port": ("port", files.whole),
    "tlsCertFile": ("tls-cert-file", files.text),
    "tlsPrivateKeyFile": ("tls-private-key-file", files.text),
    "authentication.x509.clientCAFile": ("client-ca-file", files.text),
    "authentication.webhook.enabled": ("authentication-token-webhook", files.boolean),
    "authentication.anonymous.enabled": ("anonymous-auth", files.boolean),
    "authorization.mode": ("authorization-mode", files.text),
    "healthzPort": ("healthz-port", files.whole),
    "healthzBindAddress": ("healthz-bind-address", files.address),
    "clusterDomain": ("cluster-domain", files.text),
    "clusterDNS": ("cluster-dns", files.texts),
    "nodeStatusUpdateFrequency": ("node-status-update-frequency", files.seconds),
    "cgroupRoot": ("cgroup-root", files.text),
    "cgroupDriver": ("cgroup-driver", files.text),
    "maxPods": ("max-pods", files.whole),
    "resolvConf": ("resolv-conf", files.text),
    "kubeAPIQPS": ("kube-api-qps", files.whole),
    "kubeAPIBurst": ("kube-api-burst", files.whole),
    "featureGates": ("feature-gates", files.features),
    "failSwapOn": ("fail-swap-on", files.boolean),
    "providerID": ("provider-id", files.text),
    "logging.format": ("logging-format", files.text),
    "logging.verbosity": ("v", files.whole),
    "registerWithTaints": ("register-with-taints", _taints),
    "registerNode": ("register-node", files.boolean),
    "containerRuntimeEndpoint": ("container-runtime-endpoint", files.text),
}
_FIELDS_OF_OTHERS = """
    allowedUnsafeSysctls authentication.webhook.cacheTTL authorization.webhook cgroupsPerQOS
    configMapAndSecretChangeDetectionStrategy containerLogMaxFiles containerLogMaxSize containerLogMaxWorkers
    containerLogMonitorInterval contentType cpuCFSQuota cpuCFSQuotaPeriod cpuManagerPolicy cpuManagerPolicyOptions
    cpuManagerReconcilePeriod crashLoopBackOff enableContentionProfiling enableControllerAttachDetach
    enableDebugFlagsHandler enableDebuggingHandlers enableProfilingHandler enableSystemLogHandler enableSystemLogQuery
    enforceNodeAllocatable eventBurst eventRecordQPS evictionHard evictionMaxPodGracePeriod evictionMinimumReclaim
    evictionPressureTransitionPeriod evictionSoft evictionSoftGracePeriod failCgroupV1 fileCheckFrequency hairpinMode
    httpCheckFrequency imageGCHighThresholdPercent imageGCLowThresholdPercent imageMaximumGCAge imageMinimumGCAge
    imagePullCredentialsVerificationPolicy imageServiceEndpoint iptablesDropBit iptablesMasqueradeBit
    kernelMemcgNotification kubeReserved kubeReservedCgroup kubeletCgroups localStorageCapacityIsolation
    logging.flushFrequency logging.options logging.vmodule makeIPTablesUtilChains maxOpenFiles maxParallelImagePulls
    memoryManagerPolicy memoryReservationPolicy memorySwap memoryThrottlingFactor mergeDefaultEvictionSettings
    nodeLeaseDurationSeconds nodeStatusMaxImages nodeStatusReportFrequency oomScoreAdj podCIDR podPidsLimit podsPerCore
    preloadedImagesVerificationAllowlist protectKernelDefaults qosReserved readOnlyPort registryBurst registryPullQPS
    reservedMemory reservedSystemCPUs rotateCertificates runOnce runtimeRequestTimeout seccompDefault
    serializeImagePulls serverTLSBootstrap showHiddenMetricsForVersion shutdownGracePeriod
    shutdownGracePeriodByPodPriority shutdownGracePeriodCriticalPods singleProcessOOMKill staticPodPath staticPodURL
    staticPodURLHeader streamingConnectionIdleTimeout syncFrequency systemCgroups systemReserved systemReservedCgroup
    tlsCipherSuites tlsCurvePreferences tlsMinVersion topologyManagerPolicy topologyManagerPolicyOptions
    topologyManagerScope tracing userNamespaces volumePluginDir volumeStatsAggPeriod
"""
_UNHEEDED = frozenset(_FIELDS_OF_OTHERS.split())


def read(path: str) -> files.Configuration:
    """Raises FlagError."""
    found = files.read(path, VERSION, KIND, FIELDS, _UNHEEDED)
    return found._replace(flags=DEFAULTS | found.flags)
