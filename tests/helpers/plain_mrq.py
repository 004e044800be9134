"""MR.Q for one network in plain PyTorch modules, written from the paper: the oracle of the
member-axis implementation.

Slow and obvious on purpose: `nn.Linear`, one optimiser a module, loops over the batch where that is
clearer.
"""

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Hidden layers act(norm(Wx + b)) with pre-layer residuals, then a linear output."""

    def __init__(self, name, sizes, activation, residual):
        super().__init__()
        self.names = [f"{name}.{i}" for i in range(len(sizes) - 2)] + [f"{name}.out"]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.activation, self.residual = {"relu": F.relu, "elu": F.elu}[activation], residual

    def block(self, layer, x):
        z = layer(x)
        y = self.activation(
            (z - z.mean(-1, keepdim=True))
            / torch.sqrt(z.var(-1, unbiased=False, keepdim=True) + 1e-5)
        )
        return x + y if self.residual and x.shape == y.shape else y

    def body(self, x):
        for layer in self.layers[:-1]:
            x = self.block(layer, x)
        return x

    def named(self):
        return dict(zip(self.names, self.layers, strict=True))


class Encoder(nn.Module):
    def __init__(self, s, obs, act, residual):
        super().__init__()
        self.zs_net = Net("zs", [obs, *[s.width] * s.depth, s.zs_dim], "elu", residual)
        self.za = nn.Linear(act, s.za_dim)
        self.zsa_net = Net(
            "zsa", [s.zs_dim + s.za_dim, *[s.width] * s.depth, s.zsa_dim], "elu", residual
        )
        self.model = nn.Linear(s.zsa_dim, 1 + s.zs_dim + s.reward_bins)
        self.residual = residual

    def zs(self, observation):
        return self.zs_net.block(self.zs_net.layers[-1], self.zs_net.body(observation))

    def forward(self, zs, action):
        x = self.zsa_net.body(torch.cat([zs, F.elu(self.za(action))], -1))
        y = self.zsa_net.layers[-1](x)
        return x + y if self.residual and x.shape == y.shape else y

    def named(self):
        return {**self.zs_net.named(), "za": self.za, **self.zsa_net.named(), "model": self.model}


class Actor(Net):
    def forward(self, zs):
        return self.layers[-1](self.body(zs))


class Critic(nn.Module):
    def __init__(self, s, residual):
        super().__init__()
        sizes = [s.zsa_dim, *[s.width] * (s.depth + 1), 1]
        self.q = nn.ModuleList(Net("q", sizes, "elu", residual) for _ in range(2))

    def forward(self, zsa):
        return torch.cat([q.layers[-1](q.body(zsa)) for q in self.q], -1)


class PlainMRQ:
    """Losses and updates of one agent on batches handed in."""

    def __init__(self, s, obs, act, residual=True):
        self.s = s
        self.encoder, self.critic = (
            Encoder(s, obs, act, residual).double(),
            Critic(s, residual).double(),
        )
        self.actor = Actor(
            "policy", [s.zs_dim, *[s.width] * s.depth, act], "relu", residual
        ).double()
        self.grid = torch.linspace(
            -s.reward_bound, s.reward_bound, s.reward_bins, dtype=torch.float64
        )
        self.bins = torch.sign(self.grid) * torch.expm1(self.grid.abs())
        self.reward_scale, self.target_reward_scale = 1.0, 0.0

    def load(self, agent, member):
        """Copy one member's weights, then start the optimisers."""
        pairs = [
            (self.encoder.named(), agent.learner.trained["encoder"], 0),
            (self.actor.named(), agent.learner.trained["actor"], 0),
        ]
        pairs += [
            (q.named(), agent.learner.trained["critic"], copy_)
            for copy_, q in enumerate(self.critic.q)
        ]
        for layers, module, copy_ in pairs:
            values = module.member_parameters(member)
            for name, layer in layers.items():
                layer.weight.data.copy_(values[f"{name}.weight"][copy_].T)
                layer.bias.data.copy_(values[f"{name}.bias"][copy_, 0])
        s = self.s

        def adam(module, lr):
            return torch.optim.AdamW(
                module.parameters(), lr=lr, weight_decay=s.weight_decay, foreach=False
            )

        self.optimisers = {
            "encoder": adam(self.encoder, s.encoder_lr),
            "critic": adam(self.critic, s.critic_lr),
            "actor": adam(self.actor, s.actor_lr),
        }
        self.copy_targets()

    def copy_targets(self):
        self.targets = copy.deepcopy((self.encoder, self.critic, self.actor))

    def two_hot_loss(self, logits, rewards):
        """Cross-entropy of each row, bin by bin."""
        losses = []
        for row, reward in zip(F.log_softmax(logits, -1), rewards, strict=True):
            upper = int((self.bins < reward).sum().clamp(1, len(self.bins) - 1))
            share = (reward - self.bins[upper - 1]) / (self.bins[upper] - self.bins[upper - 1])
            losses.append(-(1 - share) * row[upper - 1] - share * row[upper])
        return torch.stack(losses)

    def learn(self, name, module, loss, clip=None):
        self.optimisers[name].zero_grad()
        loss.backward(inputs=list(module.parameters()))
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        self.optimisers[name].step()

    def encoder_update(self, observation, action, reward, not_done, terminates):
        """observation [B, H+1, obs], action [B, H, act], reward and not_done [B, H]."""
        s, total, alive = self.s, 0.0, torch.ones(len(observation), dtype=torch.float64)
        with torch.no_grad():
            target = self.targets[0].zs(observation[:, 1:])
        zs = self.encoder.zs(observation[:, 0])
        for h in range(s.encoder_horizon):
            head = self.encoder.model(self.encoder(zs, action[:, h]))
            done, zs, logits = head[:, 0], head[:, 1 : 1 + s.zs_dim], head[:, 1 + s.zs_dim :]
            total = total + s.dynamics_weight * ((zs - target[:, h]) ** 2 * alive[:, None]).mean()
            total = (
                total + s.reward_weight * (self.two_hot_loss(logits, reward[:, h]) * alive).mean()
            )
            if terminates:
                total = total + s.done_weight * ((done - (1 - not_done[:, h])) ** 2 * alive).mean()
            alive = alive * not_done[:, h]
        self.learn("encoder", self.encoder, total)

    def rl_update(self, observation, action, reward, not_done, noise):
        """Returns priorities [B]. observation holds states 0 and n of each n-step window; noise is
        standard normal."""
        s, (encoder, critic, actor) = self.s, self.targets
        total, scale = (
            torch.zeros(len(action), dtype=torch.float64),
            torch.ones(len(action), dtype=torch.float64),
        )
        for h in range(s.q_horizon):
            total, scale = total + scale * reward[:, h], scale * s.discount * not_done[:, h]
        with torch.no_grad():
            next_zs = encoder.zs(observation[:, 1])
            smooth = (noise * s.target_noise).clamp(-s.target_noise_clip, s.target_noise_clip)
            next_action = (torch.tanh(actor(next_zs)) + smooth).clamp(-1, 1)
            next_q = critic(encoder(next_zs, next_action)).min(1).values
            target = (total + scale * next_q * self.target_reward_scale) / self.reward_scale
            zs = self.encoder.zs(observation[:, 0])
            zsa = self.encoder(zs, action)
        q = self.critic(zsa)
        error = (q - target[:, None]).abs()
        huber = torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()
        self.learn("critic", self.critic, huber, s.critic_clip)
        u = self.actor(zs)
        q_policy = self.critic(self.encoder(zs, torch.tanh(u)))
        self.learn("actor", self.actor, -q_policy.mean() + s.pre_activation_weight * (u**2).mean())
        q_used = q if s.lap_q == "taken" else q_policy
        worst = (q_used.detach() - target[:, None]).abs().max(1).values
        return worst.clamp(min=s.min_priority) ** s.priority_exponent
