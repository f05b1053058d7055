//! Compiles the refused system calls of [`crate::policy`] into programs that `bwrap` loads.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use crate::SandboxError;
use crate::policy::{ABSENT, PERSONALITIES, REFUSED, REFUSED_CLONE_FLAGS, REFUSED_IOCTLS, SOCKET_FAMILIES};

/// The programs, for sessions with or without a licence server, each as the bytes of its `sock_filter` array. The kernel runs all and the strictest answer wins.
pub(crate) fn programs(with_licence: bool) -> Result<Vec<Vec<u8>>, SandboxError> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    refused.insert(
        libc::SYS_clone,
        REFUSED_CLONE_FLAGS
            .iter()
            .map(|&flag| rule(0, SeccompCmpOp::MaskedEq(flag as u64), flag as u64))
            .collect::<Result<_, _>>()?,
    );
    refused.insert(
        libc::SYS_ioctl,
        REFUSED_IOCTLS.iter().map(|&request| rule(1, SeccompCmpOp::Eq, request)).collect::<Result<_, _>>()?,
    );
    let other = PERSONALITIES.iter().map(|&known| condition(0, SeccompCmpOp::Ne, known));
    let other = SeccompRule::new(other.collect::<Result<_, _>>()?).map_err(broken)?;
    refused.insert(libc::SYS_personality, vec![other]);
    let absent = ABSENT.iter().map(|&call| (call, Vec::new())).collect();
    let allowed = if with_licence { &SOCKET_FAMILIES[..] } else { &SOCKET_FAMILIES[..1] };
    let other = allowed.iter().map(|&family| condition(0, SeccompCmpOp::Ne, family as u64));
    let other = SeccompRule::new(other.collect::<Result<_, _>>()?).map_err(broken)?;
    let families = [libc::SYS_socket, libc::SYS_socketpair]
        .into_iter()
        .map(|call| (call, vec![other.clone()]))
        .collect();
    let mut programs = vec![
        compile(refused, libc::EPERM)?,
        compile(absent, libc::ENOSYS)?,
        compile(families, libc::EAFNOSUPPORT)?,
    ];
    if cfg!(target_arch = "x86_64") {
        programs.push(bytes(&no_x32()));
    }
    Ok(programs)
}

fn broken(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Policy(format!("the system call filter does not compile: {error}"))
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, SandboxError> {
    SeccompRule::new(vec![condition(argument, operator, value)?]).map_err(broken)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, SandboxError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(broken)
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<Vec<u8>, SandboxError> {
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(broken)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), arch)
        .map_err(broken)?;
    let program: BpfProgram = filter.try_into().map_err(broken)?;
    Ok(bytes(&program))
}

/// On x86-64 every call has a second number with bit 30 set (the x32 interface) that the rules above would miss.
fn no_x32() -> [sock_filter; 4] {
    let op = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

fn bytes(program: &[sock_filter]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_filter_compiles_within_the_kernels_limit() {
        for program in [true, false].into_iter().flat_map(|licence| super::programs(licence).unwrap()) {
            assert!(!program.is_empty() && program.len() % 8 == 0 && program.len() / 8 <= 4096);
        }
    }
}
