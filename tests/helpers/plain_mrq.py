"""MR.Q for one network in plain PyTorch modules, written from the paper.

The oracle of the member-axis implementation, slow and obvious on purpose: `nn.Linear`, one
optimiser a module, loops over the batch where that is clearer.
"""

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import nn

HEADLINE = {"residual": "pre", "shortcuts": "inner", "final_norm": "layer"}
"""How residuals are built unless somebody says otherwise."""
NO_RESIDUAL = {"residual": "none", "shortcuts": "all", "final_norm": "none"}


class Net(nn.Module):
    """Hidden layers act(norm(Wx + b)) with residuals, then a linear output."""

    def __init__(self, name, sizes, activation, residuals):
        """`sizes`: widths from input to output."""
        super().__init__()
        self.names = [f"{name}.{i}" for i in range(len(sizes) - 2)] + [f"{name}.out"]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.activation = {"relu": F.relu, "elu": F.elu}[activation]
        self.residual = residuals["residual"]
        self.shortcuts = residuals["shortcuts"]
        self.final_norm = residuals["final_norm"]

    def skips(self, x, y, edge):
        """Whether there is a shortcut around a layer; `edge`: the first or the last of the net."""
        if self.residual == "none" or (edge and self.shortcuts == "inner"):
            return False
        return x.shape == y.shape

    def block(self, layer, x, edge):
        """One hidden layer: norm without gain or bias, activation, residual where widths agree."""
        z = layer(x)
        skips = self.skips(x, z, edge)
        if skips and self.residual == "post":
            z = z + x
        y = self.activation(norm(z))
        return x + y if skips and self.residual == "pre" else y

    def body(self, x):
        """All hidden layers."""
        for index, layer in enumerate(self.layers[:-1]):
            x = self.block(layer, x, edge=index == 0)
        return x

    def end(self, x):
        """The final norm, if there is one."""
        return norm(x) if self.final_norm == "layer" else x

    def output(self, x):
        """What the linear output makes of an input of the net."""
        return self.layers[-1](self.end(self.body(x)))

    def named(self):
        """Layers by the names of the member-axis implementation."""
        return dict(zip(self.names, self.layers, strict=True))


def norm(z):
    """LayerNorm without gain or bias."""
    deviation = torch.sqrt(z.var(-1, unbiased=False, keepdim=True) + 1e-5)
    return (z - z.mean(-1, keepdim=True)) / deviation


class Encoder(nn.Module):
    """State embedding, joint embedding, and the linear model on top of it."""

    def __init__(self, s, obs, act, residuals):
        """`s`: settings; `obs`, `act`: widths."""
        super().__init__()
        hidden = [s.width] * s.depth
        self.zs_net = Net("zs", [obs, *hidden, s.zs_dim], "elu", residuals)
        self.za = nn.Linear(act, s.za_dim)
        self.zsa_net = Net("zsa", [s.zs_dim + s.za_dim, *hidden, s.zsa_dim], "elu", residuals)
        self.model = nn.Linear(s.zsa_dim, 1 + s.zs_dim + s.reward_bins)

    def zs(self, observation):
        """Embeds a state; the last layer is a block, too."""
        net = self.zs_net
        return net.end(net.block(net.layers[-1], net.body(observation), edge=True))

    def forward(self, zs, action):
        """Embeds a state and an action; the last layer has no norm or activation."""
        net = self.zsa_net
        x = net.end(net.body(torch.cat([zs, F.elu(self.za(action))], -1)))
        y = net.layers[-1](x)
        return x + y if net.skips(x, y, edge=True) else y

    def named(self):
        """Layers by the names of the member-axis implementation."""
        return {**self.zs_net.named(), "za": self.za, **self.zsa_net.named(), "model": self.model}


class Actor(Net):
    """A policy before its tanh."""

    def forward(self, zs):
        """Pre-activations of the action."""
        return self.output(zs)


class Critic(nn.Module):
    """Two Q networks on joint embeddings."""

    def __init__(self, s, residuals):
        """`s`: settings."""
        super().__init__()
        sizes = [s.zsa_dim, *[s.width] * (s.depth + 1), 1]
        self.q = nn.ModuleList(Net("q", sizes, "elu", residuals) for _ in range(2))

    def forward(self, zsa):
        """Both values: [..., 2]."""
        return torch.cat([q.output(zsa) for q in self.q], -1)


class PlainMRQ:
    """Losses and updates of one agent on batches handed in, in float64."""

    def __init__(self, s, obs, act, residuals=HEADLINE):
        """`s`: settings; `obs`, `act`: widths; `residuals`: as a suite's blocks state them."""
        self.s = s
        self.encoder = Encoder(s, obs, act, residuals).double()
        self.critic = Critic(s, residuals).double()
        sizes = [s.zs_dim, *[s.width] * s.depth, act]
        self.actor = Actor("policy", sizes, "relu", residuals).double()

        # Rewards are predicted as two neighbouring bins on a symmetric exponential grid.
        bound = s.reward_bound
        grid = torch.linspace(-bound, bound, s.reward_bins, dtype=torch.float64)
        self.bins = torch.sign(grid) * torch.expm1(grid.abs())
        self.reward_scale = 1.0
        self.target_reward_scale = 0.0

    def pairs(self, agent):
        """For each network its layers, the agent's module of it, and the copy in that module."""
        modules = agent.learner.trained
        critics = [(q.named(), modules["critic"], copied) for copied, q in enumerate(self.critic.q)]
        return [
            (self.encoder.named(), modules["encoder"], 0),
            (self.actor.named(), modules["actor"], 0),
            *critics,
        ]

    def load(self, agent, member):
        """Copies one member's weights, then starts the optimisers."""
        for layers, module, copied in self.pairs(agent):
            values = module.member_parameters(member)
            for name, layer in layers.items():
                layer.weight.data.copy_(values[f"{name}.weight"][copied].T)
                layer.bias.data.copy_(values[f"{name}.bias"][copied, 0])

        def adam(module, lr):
            """The optimiser of a module."""
            decay = self.s.weight_decay
            return torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=decay, foreach=False)

        self.optimisers = {
            "encoder": adam(self.encoder, self.s.encoder_lr),
            "critic": adam(self.critic, self.s.critic_lr),
            "actor": adam(self.actor, self.s.actor_lr),
        }
        self.copy_targets()

    def largest_difference(self, agent, member):
        """From a member's weights and biases, over all parameters of all modules."""
        differences = []
        for layers, module, copied in self.pairs(agent):
            values = module.member_parameters(member)
            for name, layer in layers.items():
                differences.append(layer.weight.data.T - values[f"{name}.weight"][copied])
                differences.append(layer.bias.data - values[f"{name}.bias"][copied, 0])
        return max(float(difference.abs().max()) for difference in differences)

    def copy_targets(self):
        """Targets become what is learned now."""
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
        """One optimiser step of a module, its gradient clipped by its norm."""
        self.optimisers[name].zero_grad()
        loss.backward(inputs=list(module.parameters()))
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        self.optimisers[name].step()

    def encoder_update(self, observation, action, reward, not_done, terminates):
        """observation [B, H+1, obs], action [B, H, act], reward and not_done [B, H]."""
        s = self.s
        total = 0.0
        alive = torch.ones(len(observation), dtype=torch.float64)
        with torch.no_grad():
            target = self.targets[0].zs(observation[:, 1:])

        # Unroll the model; what follows an end of the episode counts for nothing.
        zs = self.encoder.zs(observation[:, 0])
        for h in range(s.encoder_horizon):
            head = self.encoder.model(self.encoder(zs, action[:, h]))
            done = head[:, 0]
            zs = head[:, 1 : 1 + s.zs_dim]
            logits = head[:, 1 + s.zs_dim :]

            dynamics = ((zs - target[:, h]) ** 2 * alive[:, None]).mean()
            rewards = (self.two_hot_loss(logits, reward[:, h]) * alive).mean()
            total = total + s.dynamics_weight * dynamics + s.reward_weight * rewards
            if terminates:
                ends = ((done - (1 - not_done[:, h])) ** 2 * alive).mean()
                total = total + s.done_weight * ends
            alive = alive * not_done[:, h]
        self.learn("encoder", self.encoder, total)

    def rl_update(self, observation, action, reward, not_done, noise):
        """Updates critic and actor; returns priorities [B].

        observation holds states 0 and n of each n-step window; noise is standard normal.
        """
        s = self.s
        with torch.no_grad():
            target = self.q_target(observation[:, 1], reward, not_done, noise)
            zs = self.encoder.zs(observation[:, 0])
            zsa = self.encoder(zs, action)

        # Critic: Huber loss, clipped.
        q = self.critic(zsa)
        error = (q - target[:, None]).abs()
        huber = torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()
        self.learn("critic", self.critic, huber, s.critic_clip)

        # Actor: the new critic's value, and small pre-activations.
        u = self.actor(zs)
        q_policy = self.critic(self.encoder(zs, torch.tanh(u)))
        self.learn("actor", self.actor, -q_policy.mean() + s.pre_activation_weight * (u**2).mean())

        # Priorities (LAP): the larger error of both networks.
        q_used = q if s.lap_q == "taken" else q_policy
        worst = (q_used.detach() - target[:, None]).abs().max(1).values
        return worst.clamp(min=s.min_priority) ** s.priority_exponent

    def q_target(self, after, reward, not_done, noise):
        """Values [B] to learn: n rewards, then the target networks' smoothed value of `after`."""
        s = self.s
        encoder, critic, actor = self.targets
        total = torch.zeros(len(reward), dtype=torch.float64)
        scale = torch.ones(len(reward), dtype=torch.float64)
        for h in range(s.q_horizon):
            total = total + scale * reward[:, h]
            scale = scale * s.discount * not_done[:, h]

        zs = encoder.zs(after)
        smooth = (noise * s.target_noise).clamp(-s.target_noise_clip, s.target_noise_clip)
        action = (torch.tanh(actor(zs)) + smooth).clamp(-1, 1)
        q = critic(encoder(zs, action)).min(1).values
        return (total + scale * q * self.target_reward_scale) / self.reward_scale
